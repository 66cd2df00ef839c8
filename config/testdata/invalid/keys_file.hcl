rtmp {
  application "a" {
    stream_key "in-config" {
      secret = "taken-by-the-config"
    }
    stream_keys_file = "keys_file.keys"
  }
  application "b" {
    stream_keys_file = "missing.keys"
  }
}
