rtmp {
  application "a" {
    hls {
      path     = "/srv/a"
      fragment = 3s
      playlist_length = 1m30s # long
    }
  }
}
