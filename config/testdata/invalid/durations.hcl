shutdown_timeout = "10 s"
rtmp {
  timeout           = "5x"
  ping_timeout      = 0
  handshake_timeout = "off"
  ping              = -1
  application "a" {
    reconnect_grace     = ["30s"]
    drop_idle_publisher = "30"
    handover_grace      = "1s1"
    hls {
      path     = "/srv/a"
      fragment = "1ms"
      sync     = "one"
    }
  }
}
