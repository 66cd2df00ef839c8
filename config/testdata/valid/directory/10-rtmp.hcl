rtmp {
  listen = ":1935"
  application "show" {
    hls {
      path = "hls"
    }
  }
}
http {
  location "/live" {
    root = "www"
  }
}
