rtmp {
  application "a" {
    stream_key "short" {
      secret = "too-short"
    }
    stream_key "default" {
      secret = "change-me-please"
    }
    stream_key "blank" {
      secret = "with blanks inside"
    }
    stream_key "both" {
      secret        = "a-perfectly-good-one"
      secret_sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
    }
    stream_key "hash" {
      secret_sha256 = "5e8848"
    }
    stream_key "one" {
      secret = "the-same-for-two-people"
    }
    stream_key "two" {
      secret = "the-same-for-two-people"
    }
    stream_key "three" {
      secret_sha256 = "27b7ae5c6ca19fd4cbf9e3e1a1e5b3ac1e4b8e9e7a9a3b2c1d0e9f8a7b6c5d4e"
    }
    stream_key "../name" {
    }
    stream_key "name" {
      stream     = "a/b"
      not_before = "2031-01-01"
      not_after  = "tomorrow"
    }
    stream_key "never" {
      not_before = "2031-01-01T00:00:00Z"
      not_after  = "2030-01-01T00:00:00Z"
    }
    stream_key "number" {
      secret = 123456789012
    }
    stream_key "bare" {
      secret = abcdefghijklmnop
    }
  }
}
