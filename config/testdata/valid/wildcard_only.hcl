rtmp {
  application "*" {
    hls {
      path = "/srv/hls/$app"
    }
  }
  application "show" {
    hls {
      path = "/srv/hls/show"
    }
  }
}
