package okta

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// bucket names the requests that Okta counts together: an API's lists, one object of it by id, and what is below that
// object each have limits of their own, for the whole org (Okta documentation, "Management rate limits").
func bucket(req *http.Request) string {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	if len(parts) < 3 || parts[0] != "api" {
		return req.URL.Path
	}
	family := strings.Join(parts[:3], "/")
	switch {
	case len(parts) == 3:
		return family
	case len(parts) == 4:
		return family + "/{id}"
	case parts[2] == "groups" && parts[4] == "users":
		return family + "/{id}/users"
	}
	return family + "/*"
}

// reserve reads for how long few requests of the window are left: they are counted for the whole org, and other
// applications need some too (Okta documentation, "Rate limit best practices").
func reserve(res *http.Response) time.Duration {
	limit, err := strconv.ParseInt(res.Header.Get("X-Rate-Limit-Limit"), 10, 32)
	if err != nil {
		return 0
	}
	remaining, err := strconv.ParseInt(res.Header.Get("X-Rate-Limit-Remaining"), 10, 32)
	if err != nil {
		return 0
	}
	return connectors.Reserved(limit, remaining, resetOf(res.Header))
}

// resetOf reads how long it is until the next window, by the answer's own date.
func resetOf(h http.Header) time.Duration {
	reset, err := strconv.ParseInt(strings.TrimSpace(h.Get("X-Rate-Limit-Reset")), 10, 64)
	if err != nil || reset <= 0 || reset > 1<<40 {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, time.Unix(reset, 0).Sub(now))
}
