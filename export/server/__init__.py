"""The development server, which answers as TensorFlow Serving does."""
