rtmp {
  application "live" {
    # Made at the first start, kept in the state directory, printed once.
    stream_key "live" {
    }

    hls {
      path     = "${local.hls_dir}/live"
      fragment = "3s"
    }
  }
}

http {
  location "/live" {
    root = "${local.state_dir}/hls"
  }

  location "/stat" {
    stat {}
  }

  location "/health" {
    health {}
  }
}
