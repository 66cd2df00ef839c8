# A stream goes to several platforms at once. The keys come from the environment of
# the service; each platform's page with stream settings shows them.
rtmp {
  listen = ":1935"

  application "live" {
    push "youtube" {
      url = "rtmps://a.rtmps.youtube.com:443/live2"
      key = env("YOUTUBE_KEY", "set YOUTUBE_KEY")
    }

    push "twitch" {
      url = "rtmp://live.twitch.tv/app"
      key = env("TWITCH_KEY", "set TWITCH_KEY")
    }

    push "facebook" {
      url = "rtmps://live-api-s.facebook.com:443/rtmp"
      key = env("FACEBOOK_KEY", "set FACEBOOK_KEY")
    }

    push "picarto" {
      url = "rtmp://live.eu-west1.picarto.tv/golive"
      key = env("PICARTO_KEY", "set PICARTO_KEY")
    }

    # It waits for: rtmpd push start live/NAME kick
    push "kick" {
      manual = true
      url    = "rtmps://fa723fc1b171.global-contribute.live-video.net:443/app"
      key    = env("KICK_KEY", "set KICK_KEY")
    }
  }
}
