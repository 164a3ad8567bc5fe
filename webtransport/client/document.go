package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"skein.dev/skein/webtransport/wire"
)

// StatusError is the error of a request to which the server answered with a status other than 200.
type StatusError struct {
	Status int
	Err    *wire.Error // what a Skein server answered; otherwise nil
}

func (e *StatusError) Error() string {
	if e.Err != nil {
		return e.Err.Message
	}
	return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
}

func (e *StatusError) Unwrap() error {
	if e.Err == nil {
		return nil
	}
	return e.Err
}

// FetchConnect fetches, with hc, the document that names the server's endpoints. It makes their URLs absolute.
func FetchConnect(ctx context.Context, hc *http.Client, o Options) (*wire.Connect, error) {
	var doc wire.Connect
	err := post(ctx, hc, o, "/connect", &doc)
	if err == nil && len(doc.Endpoints) == 0 {
		err = errors.New("the server names no way in")
	}
	if err == nil {
		err = resolve(&doc, o.URL)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.URL, err)
	}
	return &doc, nil
}

// LoginURL asks the server for a URL that signs a browser in, once. The URL begins with o.URL, so that the browser goes
// through the same proxies as this client.
func LoginURL(ctx context.Context, o Options) (string, error) {
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: TLSConfig(o.CertificateHashes), DisableKeepAlives: true}}
	var res struct {
		URL string `json:"url"`
	}
	if err := post(ctx, hc, o, "/login/token", &res); err != nil {
		return "", fmt.Errorf("ask %s for a login: %w", o.URL, err)
	}
	link, err := url.Parse(res.URL)
	if err != nil {
		return "", fmt.Errorf("ask %s for a login: %w", o.URL, err)
	}
	return strings.TrimRight(o.URL, "/") + "/login?" + link.RawQuery, nil
}

// resolve makes the URLs of the endpoints absolute.
func resolve(doc *wire.Connect, server string) error {
	at, err := url.Parse(server)
	if err != nil {
		return err
	}
	return doc.Resolve(at)
}

// post sends a request without a body and decodes the response into v.
func post(ctx context.Context, hc *http.Client, o Options, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(o.URL, "/")+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.Token)
	req.Header.Set("Accept", "application/json")
	res, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var e struct {
			Error *wire.Error `json:"error"`
		}
		json.Unmarshal(b, &e)
		return &StatusError{res.StatusCode, e.Error}
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("the answer is no Skein document: %w", err)
	}
	return nil
}
