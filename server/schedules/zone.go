package schedules

import (
	"os"
	"strings"
	"time"
)

// LocalZone is the name of the server's time zone in the IANA's database; "UTC" if it has none that is known.
func LocalZone() string {
	local := time.Now()
	for _, name := range []string{strings.TrimPrefix(os.Getenv("TZ"), ":"), linked("/etc/localtime"), written("/etc/timezone")} {
		name = zoneName(name)
		if loc, err := loadZone(name); err == nil {
			_, here := local.Zone()
			if _, there := local.In(loc).Zone(); here == there { // otherwise the file says something else than the system does
				return name
			}
		}
	}
	return "UTC"
}

// zoneName is the part of a path that names a zone.
func zoneName(path string) string {
	if _, name, ok := strings.Cut(path, "zoneinfo/"); ok {
		return name
	}
	return path
}

func linked(path string) string {
	to, _ := os.Readlink(path)
	return to
}

func written(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}
