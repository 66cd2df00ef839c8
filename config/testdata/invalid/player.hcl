rtmp {
  application "show" {
    hls {
      path = "/srv/hls"
    }
  }
}
http {
  location "/" {
    player {
      applications = ["show", "shwo"]
      poster       = "javascript:alert(1)"
      embed_from   = ["forum.example.org"]
      autoplay     = "yes"
    }
  }
  location "/b" {
    player {
      poster = "https://img.example.org; script-src *"
    }
  }
  location "/c" {
    player {
      description = "x"
    }
  }
  location "= /d" {
    player {}
  }
}
