rtmp {
  application "a" {
    hls {
      path = /nginx/live
    }
  }
}
