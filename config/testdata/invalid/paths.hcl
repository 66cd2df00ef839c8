rtmp {
  defaults {
    hls {
      path = "/srv/hls"
      keys {
        path = "/srv/keys"
      }
    }
  }
  application "a" {
    hls {
      path = "~/hls"
    }
  }
  application "b" {
    hls {
      path = "/srv/b"
      keys {
        path = "/srv/./b/"
      }
    }
  }
  application "c" {
    hls {
      path = "/srv/x/../b"
      keys {
      }
    }
  }
  application "*" {
    hls {
      path = "/srv/any"
    }
  }
}
