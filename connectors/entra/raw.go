package entra

import (
	"context"
	"encoding/json"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
)

// readRaw sends a request of the SDK and decodes the answer here. The SDK's own types drop a word that they don't know,
// such as a new reason of a quarantine, and a list of flags with spaces in it, as Graph writes them.
func readRaw[T any](ctx context.Context, c *Connector, a ask, info func() (*abs.RequestInformation, error)) (T, error) {
	return call(ctx, a, func() (T, error) {
		var out T
		request, err := info()
		if err != nil {
			return out, err
		}
		answer, err := c.adapter.SendPrimitive(ctx, request, "[]byte", abs.ErrorMappings{
			"XXX": odataerrors.CreateODataErrorFromDiscriminatorValue,
		})
		if err != nil {
			return out, err
		}
		body, ok := answer.([]byte)
		if !ok {
			return out, a.broken("no answer")
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return out, a.broken("an answer that is not JSON of the documented form")
		}
		return out, nil
	})
}
