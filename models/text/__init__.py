"""What translation is made of: languages, sentences, what has to come through unharmed, vocabularies."""
