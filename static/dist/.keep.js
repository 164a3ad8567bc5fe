// Holds the place of what `npm run build` makes here: embed.go names dist/*.js, which must match something.
