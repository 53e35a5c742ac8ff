"""What other libraries call the tensors of a MobileNet: one file a family of names."""
