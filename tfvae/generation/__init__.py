"""What a trained model makes when it is asked to: x of chosen z."""
