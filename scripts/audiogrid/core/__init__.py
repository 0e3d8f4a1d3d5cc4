"""What every package uses and that knows nothing of transcription: errors, files, times, language codes."""
