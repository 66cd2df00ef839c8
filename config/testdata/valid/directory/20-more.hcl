locals {
  f = "3s"
}
rtmp {
  chunk_size = 4096
  application "show" {
    reconnect_grace = "1m"
    hls {
      fragment = local.f
    }
  }
}
http {
  location "/stat" {
    stat {}
  }
}
