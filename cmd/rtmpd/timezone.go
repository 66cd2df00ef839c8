package main

import (
	"os"
	"strings"
	"time"
	_ "time/tzdata" // a container has no /usr/share/zoneinfo

	"go.uber.org/zap"
)

// checkTimezone warns of a TZ that can't be read: Go takes UTC for it silently, and
// recordings and logs bear the wrong hour.
func checkTimezone(log *zap.Logger, tz string) {
	name := strings.TrimPrefix(tz, ":")
	if name == "" {
		return
	}
	var err error
	if strings.HasPrefix(name, "/") {
		var data []byte
		if data, err = os.ReadFile(name); err == nil {
			_, err = time.LoadLocationFromTZData(name, data)
		}
	} else {
		_, err = time.LoadLocation(name)
	}
	if err != nil {
		log.Warn("TZ names no time zone: times are in UTC; write a name such as Europe/Berlin", zap.String("tz", tz), zap.Error(err))
	}
}
