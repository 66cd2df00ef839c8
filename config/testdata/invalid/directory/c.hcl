rtmp {
  listen = 1935
  application "show" {
    hls {
      fragment = "4s"
    }
  }
}
http {
  location "/" {
    root "/srv"
  }
}
