package api

import (
	"context"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

const (
	driftSince  = 30 * 24 * time.Hour
	mostBuckets = 1000
)

type driftInput struct {
	InOrg
	Name   string `path:"name"`
	Since  string `query:"since" doc:"since a time (RFC 3339), or since so long ago, such as 24h or 30d, which is the default"`
	Bucket string `query:"bucket" doc:"hour or day; by default hour where that is no more than two days"`
}

// drift answers what a connection's runs found, over time.
func (a *API) drift(ctx context.Context, s scope, in *driftInput) (client.DriftOverTime, error) {
	none := client.DriftOverTime{}
	conn, err := a.connection(ctx, s, in.Name)
	if err != nil {
		return none, err
	}
	now := a.now().UTC()
	since, err := a.since(in.Since)
	switch {
	case err != nil:
		return none, err
	case since.IsZero():
		since = now.Add(-driftSince)
	case since.After(now):
		return none, roster.Errorf(roster.Invalid, "since: %s has not come yet", since.UTC().Format(time.RFC3339))
	}
	span, err := bucket(&in.Bucket, now.Sub(since))
	if err != nil {
		return none, err
	}
	found, err := a.store.DriftOverTime(ctx, s.org.ID, conn.ID, since, now, span)
	if err != nil {
		return none, err
	}
	out := client.DriftOverTime{
		Organisation: s.org.Name, Connection: conn.Name, Since: since.UTC().Truncate(span), Until: now, Bucket: in.Bucket,
		Totals: map[string]client.DriftCount{}, Buckets: make([]client.DriftBucket, len(found)),
	}
	for i := range found {
		kinds := map[string]client.DriftCount{}
		for kind, n := range found[i].Kinds {
			kinds[string(kind)] = client.DriftCount(n)
			t := out.Totals[string(kind)]
			t.Found, t.Applied, t.Held, t.Listed = t.Found+n.Found, t.Applied+n.Applied, t.Held+n.Held, max(t.Listed, n.Listed)
			out.Totals[string(kind)] = t
		}
		out.Buckets[i] = client.DriftBucket{Start: found[i].Start, Kinds: kinds}
	}
	return out, nil
}

// bucket is how long each span of time is; it fills in the one that is used where none was asked for.
func bucket(asked *string, length time.Duration) (time.Duration, error) {
	const day = 24 * time.Hour
	if *asked == "" {
		*asked = "day"
		if length <= 2*day {
			*asked = "hour"
		}
	}
	span, known := map[string]time.Duration{"hour": time.Hour, "day": day}[*asked]
	switch {
	case !known:
		return 0, roster.Errorf(roster.Invalid, "bucket: %q is neither hour nor day", *asked)
	case length/span >= mostBuckets:
		return 0, roster.Errorf(roster.Invalid, "since: that is more than %d buckets of one %s each; ask for less time%s", mostBuckets, *asked,
			map[string]string{"hour": ", or for days: bucket=day, --by day"}[*asked])
	}
	return span, nil
}
