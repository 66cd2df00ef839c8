rtmp {
  application "a" {
    stream_key "x" {
      secret = very-secret-one/two
    }
    stream_key "y" {
      secret = "very-secret-two
    }
  }
}
