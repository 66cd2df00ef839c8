http {
  public_url        = ["chat.example", "https://u:p@chat.example/"]
  trusted_proxies   = "loopback"
  access_log_format = "$remote_adr"
}
http {
  listen            = 8081
  access_log_format = "plain"
  access_log        = ""
}
http {
  listen            = 8082
  access_log_format = "$http_cookie"
  access_log        = "/srv/a.log"
}
http {
  listen            = 8083
  access_log_format = "json"
}
