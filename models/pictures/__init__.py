"""What the tasks on pictures share: decoding, ways of looking at a picture, boxes, styles."""
