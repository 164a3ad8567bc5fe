package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"skein.dev/skein/static"
	"skein.dev/skein/ui/frame"
)

// app adds what a system needs that installs the pages as an app. It is for everybody, because systems fetch it without a login, too.
func (s *site) app(open *http.ServeMux) {
	open.HandleFunc("GET /manifest.webmanifest", s.manifest)
	for _, name := range []string{"icon.svg", "icon-180.png", "icon-192.png", "icon-512.png", "icon-maskable-512.png"} {
		open.HandleFunc("GET /static/"+name, asset)
	}
}

// appManifest is what makes the pages installable as an app (W3C Web Application Manifest).
type appManifest struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	ShortName  string    `json:"short_name"`
	About      string    `json:"description"`
	StartURL   string    `json:"start_url"`
	Scope      string    `json:"scope"`
	Display    string    `json:"display"`
	Background string    `json:"background_color"`
	Theme      string    `json:"theme_color"`
	Icons      []appIcon `json:"icons"`
}

type appIcon struct {
	Src     string `json:"src"`
	Sizes   string `json:"sizes"`
	Type    string `json:"type"`
	Purpose string `json:"purpose,omitempty"`
}

// manifest serves the app manifest. Everything in it is below the base path.
func (s *site) manifest(w http.ResponseWriter, r *http.Request) {
	at := func(path string) string { return frame.At(r.Context(), path) }
	icon := func(name, sizes, kind, purpose string) appIcon {
		return appIcon{at(static.URL(name)), sizes, kind, purpose}
	}
	body, err := json.Marshal(appManifest{
		ID: at("/"), Name: "Skein", ShortName: "Skein", About: "See which agent needs you, steer it, and stop it.",
		StartURL: at("/"), Scope: at("/"), Display: "standalone", Background: frame.GroundLight, Theme: frame.GroundLight,
		Icons: []appIcon{
			icon("icon-192.png", "192x192", "image/png", ""),
			icon("icon-512.png", "512x512", "image/png", ""),
			icon("icon-maskable-512.png", "512x512", "image/png", "maskable"),
			icon("icon.svg", "any", "image/svg+xml", ""),
		},
	})
	if err != nil {
		s.failed(r, "the app manifest could not be made", err)
		http.Error(w, "the app manifest could not be made", http.StatusInternalServerError)
		return
	}
	sum := fnv.New64a()
	sum.Write(body)
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", fmt.Sprintf(`"%x"`, sum.Sum64()))
	h.Set("Content-Type", "application/manifest+json")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
