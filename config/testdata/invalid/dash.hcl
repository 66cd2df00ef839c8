rtmp {
  application "shared" {
    hls {
      path     = "/srv/one"
      format   = "fmp4"
      fragment = "2s"
      nested   = true
      keys {
        path = "/srv/keys"
      }
    }
    dash {
      path            = "/srv/one"
      fragment        = "4s"
      playlist_length = "30s"
      nested          = false
      cleanup         = false
    }
  }
  application "apart" {
    hls {
      path     = "/srv/two"
      fragment = "2s"
    }
    dash {
      path     = "/srv/two"
      fragment = "4s"
      clock    = "ntp"
    }
  }
  application "third" {
    dash {
      path  = "/srv/two"
      clock = "sundial"
    }
  }
}
