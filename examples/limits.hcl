# Limits for a small server on a line of 1 Gb/s: not more viewers than the line can carry,
# whatever they watch and however they come.

limits {
  viewers        = 300
  bandwidth      = "800M"
  viewers_per_ip = 20          # a household, an office; raise it for a school
  local          = ["private"] # the screens in the house: neither counted nor refused
}

rtmp {
  application "show" {
    # What one stream may have.
    max_players = 200
    max_bitrate = "8M"

    # What all streams of the application together may have.
    limits {
      viewers = 250
    }

    stream_key "anna" {}

    # Guests have less.
    stream_key "guest" {
      max_players = 30
      max_bitrate = "3M"
    }

    hls {
      path     = "/var/lib/rtmpd/show"
      fragment = "2s"
    }
  }
}

http {
  location "/show" {
    alias = "/var/lib/rtmpd/show"
  }
}
