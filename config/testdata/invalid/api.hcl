http {
  location "/open" {
    api {}
  }
  location "/api" {
    api {
      token "empty" {}
      token "short" {
        secret = "short"
      }
      token "both" {
        secret        = "a-secret-of-some-length"
        secret_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
      }
      token "one" {
        secret = "another-secret-of-some-length"
        scopes = ["fly"]
      }
      token "two" {
        secret = "another-secret-of-some-length"
        scopes = []
      }
    }
  }
}
