package entra

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rosterd/rosterd/connectors"
)

// bucket names the requests that Graph counts together: those for logs and for provisioning jobs have limits of their own
// beside the directory's (Graph documentation, "Microsoft Graph service-specific throttling limits").
func bucket(req *http.Request) string {
	switch path := strings.TrimPrefix(req.URL.Path, apiVersion); {
	case strings.HasPrefix(path, "/auditLogs"):
		return "logs"
	case strings.Contains(path, "/synchronization"):
		return "synchronization"
	}
	return "directory"
}

// window is the time in which Graph counts requests to the directory.
const window = 10 * time.Second

// reserve reads for how long other requests of the application should come first. Above 0.8 of its limit Graph says how
// much of it is used, up to 1.8 (Graph documentation, "Microsoft Graph service-specific throttling limits", response
// headers of identity and access requests): the pause grows with that, to a whole window.
func reserve(res *http.Response) time.Duration {
	wait := connectors.RateLimitReserve(res.Header)
	used, err := strconv.ParseFloat(strings.TrimSpace(res.Header.Get("x-ms-throttle-limit-percentage")), 64)
	if err != nil || used <= 0.8 || used > 10 { // it is no percentage, whatever its name says
		return wait
	}
	return max(wait, time.Duration(min(used-0.8, 1)*float64(window)))
}
