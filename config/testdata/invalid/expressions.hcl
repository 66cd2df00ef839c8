locals {
  a     = local.b
  b     = "${local.c}/x"
  c     = local.a
  me    = local.me
  fine  = "/srv/fine"
  fine2 = local.fin
}
rtmp {
  application "a" {
    hls {
      path     = "${local.fien}/x"
      base_url = local.b
      fragment = env("NOT_THERE")
      sync     = env("SET")
    }
    stream_keys_file = file("no/such/file")
  }
  application "b" {
    stream_keys_file = credential("x")
    fallback         = format("%99999d", 1)
    on_conflict      = upper(1, 2)
    live             = nosuch("x")
    max_publishers   = var.x
    reconnect_grace  = env
  }
}
