"""What speech recognition is made of: sound in, features, the rules by which models write, segments."""
