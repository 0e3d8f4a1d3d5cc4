"""The two speaker networks: from published checkpoints to ONNX files that onnxruntime runs."""
