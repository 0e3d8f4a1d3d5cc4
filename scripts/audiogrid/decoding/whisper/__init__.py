"""The Whisper model under CTranslate2: loading, devices, arithmetic, single calls."""
