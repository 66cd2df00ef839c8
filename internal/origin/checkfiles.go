package origin

import (
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/vod"
)

// checkFiles logs which files and directories that cfg names can't be read: not only
// when somebody is to see them.
func (og *Origin) checkFiles(cfg *config.RTMP) {
	seen := map[string]bool{"": true}
	check := func(path, message string, open func() error) {
		if seen[path] {
			return
		}
		seen[path] = true
		if err := open(); err != nil {
			og.Log.Warn(message, zap.String("path", path), zap.Error(err))
		}
	}
	checkApplication := func(a *config.Application) {
		if isFile(a.Fallback) && !strings.Contains(a.Fallback, "$") {
			check(a.Fallback, "fallback can't be shown when it is needed", func() error {
				f, err := vod.OpenFile(a.Fallback)
				if err == nil {
					f.Close()
				}
				return err
			})
		}
		if a.VOD == nil {
			return
		}
		for _, source := range a.VOD.Path {
			check(source, "directory of files on demand can't be read", func() error { return vod.CheckSource(source) })
		}
	}
	for i := range cfg.Applications {
		a := &cfg.Applications[i]
		checkApplication(a)
		for j := range a.Streams {
			checkApplication(a.Streams[j].Application)
		}
	}
}
