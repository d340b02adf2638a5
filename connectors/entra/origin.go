package entra

import (
	"strings"

	"github.com/rosterd/rosterd/connectors"
)

// origin is where Graph is, with the path up to the API version.
type origin struct {
	connectors.Origin
	base string
}

const apiVersion = "/v1.0"

// parseGraphURL checks graph_url.
func parseGraphURL(raw string) (origin, error) {
	o, err := connectors.ParseOrigin("graph_url", raw, DefaultGraphURL)
	if err != nil {
		return origin{}, err
	}
	return origin{Origin: o, base: strings.TrimSuffix(strings.TrimSuffix(raw, "/"), apiVersion) + apiVersion}, nil
}

// scope returns the OAuth scope for all permissions granted to the application (Graph documentation, "Get access
// without a user").
func (o origin) scope() string { return o.Scheme + "://" + o.Host + "/.default" }
