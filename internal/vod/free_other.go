//go:build !linux

package vod

import "os"

func free(*os.File) int64 { return minFree }
