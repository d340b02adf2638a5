package daemon

import (
	"fmt"

	"github.com/rosterd/rosterd/internal/alerts"
	"github.com/rosterd/rosterd/internal/config"
	"github.com/rosterd/rosterd/reconcile"
	"github.com/rosterd/rosterd/syncer"
)

// buildAlerts builds what tells operators, with the channels of the configuration.
func (d *Daemon) buildAlerts(sources map[string]syncer.Source) (*alerts.Alerts, error) {
	channels, err := alertChannels(&d.opts.Config.Alerts, d.opts.Version)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		d.log.Info("alerts are sent", "channel", c.Name())
	}
	defaults := reconcile.DefaultLimits()
	return alerts.New(alerts.Config{
		Store: d.db, Log: d.log.With("part", "alerts"), Channels: channels, Remind: d.opts.Config.Alerts.Remind,
		Crossed: func(connection string, removed, had int) bool {
			if own := sources[connection].Limits; own != nil {
				return own.Members.Crossed(removed, had)
			}
			return defaults.Members.Crossed(removed, had)
		},
	}), nil
}

func alertChannels(c *config.Alerts, version string) ([]alerts.Channel, error) {
	var out []alerts.Channel
	if e := c.Email; e != nil {
		channel, err := alerts.NewEmail(alerts.EmailConfig{
			SMTP: e.SMTP, TLS: e.TLS, From: e.From, To: e.To, Username: e.Username, Password: e.Password.Reveal(),
		})
		if err != nil {
			return nil, fmt.Errorf("alerts by email: %w", err)
		}
		out = append(out, channel)
	}
	if w := c.Webhook; w != nil {
		channel, err := alerts.NewWebhook(alerts.WebhookConfig{URL: w.URL.Reveal(), Secret: w.Secret.Reveal(), Version: version})
		if err != nil {
			return nil, fmt.Errorf("alerts by webhook: %w", err)
		}
		out = append(out, channel)
	}
	return out, nil
}
