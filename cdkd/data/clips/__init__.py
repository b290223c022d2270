"""What a clip is: which frames of a video, their arrays, their geometry."""
