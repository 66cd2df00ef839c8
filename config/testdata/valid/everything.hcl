# Every attribute that is built, none at its default.
state_dir        = "/srv/state"
runtime_dir      = "/srv/run"
shutdown_timeout = "20s"

locals {
  base = "/srv"
  hls  = "${local.base}/hls"
  team = ["allow 10.0.0.0/8", "deny all"]
}

log {
  level  = "debug"
  format = "json"
  file   = "${local.base}/rtmpd.log"
}

acme {
  email         = "streams@example.org"
  directory_url = "https://ca.example.org/acme/directory"
  storage       = "/srv/acme"
}

rtmp {
  listen            = [1935, "127.0.0.1:1936", "[::1]:1937", "unix:/srv/run/rtmp.sock"]
  chunk_size        = "4k"
  ack_window        = 2500000
  max_message       = "1M"
  handshake_timeout = 5
  timeout           = "1m30s"
  ping              = "off"
  ping_timeout      = "1500ms"

  access_log        = "/srv/rtmp.log"
  access_log_format = "$remote_addr $command \"$app\" \"$name\" $${session_time}s"

  flush_interval  = "100ms"
  max_connections = 0

  on_connect            = "http://127.0.0.1:5000/connect"
  on_disconnect         = "http://127.0.0.1:5000/disconnect"
  notify_method         = "get"
  notify_timeout        = "3s"
  notify_update_timeout = "10s"
  notify_update_strict  = true
  notify_relay_redirect = true
  notify_headers        = { Authorization = "Bearer abc" }
  notify_concurrency    = 8

  defaults {
    on_conflict     = "reject"
    reconnect_grace = 0
    hls {
      path     = "${local.hls}/$app"
      fragment = "2s"
      sync     = "off"
    }
    stream "low+*" {
      handover_grace = "5s"
    }
  }

  application "live" {
    live                = true
    wait_key            = true
    on_publish          = "https://hooks.example.org/publish"
    on_play             = "https://hooks.example.org/play"
    on_done             = "https://hooks.example.org/done"
    on_play_done        = "https://hooks.example.org/play_done"
    on_publish_done     = "https://hooks.example.org/publish_done"
    on_update           = "https://hooks.example.org/update"
    on_playlist         = "https://hooks.example.org/playlist"
    on_play_http        = false
    drop_idle_publisher = "off"
    max_publishers      = 10
    on_conflict         = "replace"
    reconnect_grace     = "1m"
    handover_grace      = "1s"

    access {
      publish = local.team
      keyless = ["allow 127.0.0.1", "allow ::1", "deny all"]
    }

    stream_key "alice" {
      stream     = "studio"
      secret     = "alices-secret-1"
      not_before = "2020-01-01T00:00:00Z"
      not_after  = "2031-12-24T18:00:00+01:00"
      priority   = 0
    }
    stream_key "bob" {
      stream        = "studio"
      secret_sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
    }
    stream_key "carol" {
    }

    hls {
      max_fragment                = "8s"
      playlist_length             = "1m"
      format                      = "mpegts"
      nested                      = true
      fragment_naming             = "system"
      fragment_naming_granularity = 500
      fragment_slicing            = "aligned"
      type                        = "event"
      continuous                  = false
      cleanup                     = false
      base_url                    = "https://cdn.example/live/"
      max_audio_delay             = "200ms"
      datetime                    = false
      endlist                     = false

      variant "_low" {
        bandwidth         = "800k"
        average_bandwidth = 700000
        resolution        = "640x360"
        codecs            = "avc1.42e00a,mp4a.40.2"
        frame_rate        = 29.97
      }
      variant "_hi" {
      }

      keys {
        path              = "/srv/keys/$app"
        url               = "https://keys.example/"
        fragments_per_key = 10
        method            = "AES-128"
      }
    }

    stream "studio" {
      on_conflict     = "auto"
      reconnect_grace = "2m"
      hls {
        fragment = "4s"
      }
    }
    stream "quiet*" {
      hls {
        enabled = false
      }
    }
  }

  application "off" {
    live = false
    hls {
      enabled = false
    }
  }

  application "*" {
    hls {
      path = "/srv/other/x-$app-$$"
    }
  }
}

http {
  listen            = [":8080", "127.0.0.1:8081"]
  public_url        = "https://chat.example/"
  trusted_proxies   = ["loopback", "private", "192.0.2.7", "2001:db8::/32"]
  access_log        = "/srv/access.log"
  access_log_format = "$remote_addr $status \"$request\" $http_x_forwarded_for"

  location "/live" {
    root          = "/srv/hls"
    access        = ["deny 10.1.0.0/16", "allow private", "deny all"]
    cors_origins  = ["https://chat.example"]
    headers       = { "X-Served-By" = "rtmpd" }
    cache_control = "no-store"
    autoindex     = true
  }
  location "/a/" {
    alias = "/srv/a"
    token = "a-token-of-some-length"
  }
  location "= /old" {
    redirect = "https://chat.example/new"
  }
  location "/old" {
    redirect = "/new"
  }
  location "/stat" {
    stat {
      stylesheet = "/stat.xsl"
    }
    basic_auth = {
      admin = "$2y$10$abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU"
    }
  }
  location "/health" {
    health {}
  }
}

http {
  listen = ":80"
  tls {
    listen   = ":443"
    domains  = ["live.example.org", "chat.example.org"]
    redirect = false
  }
  location "/" {
    root = "/srv/www"
  }
}

http {
  listen            = []
  access_log        = "/srv/tls.log"
  access_log_format = "json"
  tls {
    listen      = ":8443"
    certificate = "cert.pem"
    key         = "key.pem"
    min_version = "1.3"
    redirect    = true
  }
  location "/" {
    root = "/srv/www"
  }
}
