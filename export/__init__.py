"""From a run folder to TensorFlow Serving."""
