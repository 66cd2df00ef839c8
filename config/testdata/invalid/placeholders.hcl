rtmp {
  application "a" {
    hls {
      path = "/srv/$name"
    }
    exec "publish" "x" {
      command = ["sh", "-c", "echo $name >> /tmp/x"]
    }
    exec "publish" "y" {
      command = "bash -ec 'echo $addr'"
    }
    exec "publish" "z" {
      command = ["ffmpeg", "-i", "rtmp://localhost/$app/$nmae", "$"]
    }
    record "r" {
      path     = "/srv/$app/$name"
      filename = "$basename-$low"
    }
    push "p" {
      url = "rtmp://x/$${app}/$name"
    }
  }
}
