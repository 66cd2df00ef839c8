rtmp {
  listen            = 1936
  access_log        = "/srv/rtmp.log"
  access_log_format = "$remote_addr $nam"
}
rtmp {
  listen            = 1937
  access_log        = "/srv/rtmp.log"
  access_log_format = "json"
}
rtmp {
  listen            = 1938
  access_log_format = "$name"
}
rtmp {
  listen            = 1939
  access_log        = "/srv/rtmp.log"
  access_log_format = "$name $${app"
}
rtmp {
  listen            = 1940
  access_log        = "/srv/rtmp.log"
  access_log_format = "$name\n"
}
