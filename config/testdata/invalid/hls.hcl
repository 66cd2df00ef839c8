rtmp {
  application "a" {
    hls {
      path            = "/srv/a"
      fragment        = "10s"
      max_fragment    = "5s"
      playlist_length = "8s"
      low_latency     = true
      format          = "mpegst"
      fragment_naming = "random"
      base_url        = "https://cdn example/"
      variant "../x" {
      }
      keys {
        path   = "/srv/a-keys"
        method = "SAMPLE-AES"
      }
    }
  }
  application "b" {
    hls {
      path     = "/srv/b"
      fragment = "1m"
    }
  }
}
