package origin

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/record"
)

// keepInterval is how often recordings are looked through for such as are too old,
// beside the end of each.
const keepInterval = time.Minute

// keepRecordings does what keep_for and keep_size say, whether or not there are
// streams.
func (og *Origin) keepRecordings(ctx context.Context) {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			og.sweepRecordings(now)
		}
	}
}

// sweepRecordings sweeps for every recorder of the configuration. Of what "*" takes
// in it knows the applications that are alive.
func (og *Origin) sweepRecordings(now time.Time) {
	for _, v := range *og.services.Load() {
		rules := v.rules.Load()
		if rules == nil {
			continue
		}
		apps := make(map[string]*config.Application)
		for i := range rules.cfg.Applications {
			if a := &rules.cfg.Applications[i]; a.Name != "*" {
				apps[a.Name] = a
			}
		}
		for _, a := range v.All() {
			apps[a.name] = a.rules.Load().cfg
		}
		for name, app := range apps {
			for _, cfg := range app.WithStreams() {
				for i := range cfg.Records {
					deleted, err := og.files.Sweep(&cfg.Records[i], name, now)
					record.LogSwept(og.Log.With(zap.String("app", name), zap.String("recorder", cfg.Records[i].Name)), &cfg.Records[i], deleted, err)
					if err := og.files.Publish(&cfg.Records[i], name); err != nil {
						og.Log.Warn("recordings can't be listed for others", zap.String("path", string(cfg.Records[i].Path)), zap.Error(err))
					}
				}
			}
		}
	}
}
