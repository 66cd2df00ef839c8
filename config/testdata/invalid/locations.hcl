http {
  location "live" {
    root = "/srv"
  }
  location "/nothing" {
  }
  location "/both" {
    root  = "/srv"
    alias = "/srv"
    stat {}
  }
  location "/twice" {
    root = "/srv"
  }
  location "/twice" {
    root = "/srv"
  }
  location "~ \\.m3u8$" {
    root = "/srv"
  }
  location "/a/../b" {
    root = "/srv"
  }
  location "/control" {
    control {}
  }
  location "/api" {
    api {}
    token = "change-me-later"
  }
  location "/secret" {
    root  = "/srv"
    token = "short"
    basic_auth = {
      admin = "plain text password"
    }
  }
  location "/headers" {
    root         = "/srv"
    cors_origins = ["chat.example"]
    headers      = { "X Y" = "z" }
  }
  location "/redirect" {
    redirect  = "somewhere"
    autoindex = true
  }
  location "= /x" {
    health {}
    cache_control = "a\nb"
  }
}
