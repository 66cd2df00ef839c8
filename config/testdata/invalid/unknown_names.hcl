stat_dir = "/srv"
rtpm {
}
rtmp {
  chunksize = 4096
  server {
  }
  application "a" {
    live_on      = true
    hls          = true
    hls_fragment = "3s"
    allow        = "all"
    push         = "rtmp://x/y"
    fragment     = "3s"
    hsl {
    }
    hls {
      fragmnt = "3s"
      path    = "/srv/a"
    }
    log "x" {
    }
    nonsense = 1
  }
  application {
  }
  application "b" "c" {
  }
}
http {
  location "/" {
    root = "/srv"
    stat = true
  }
  location "/health" {
    health {
      deep = true
    }
  }
}
