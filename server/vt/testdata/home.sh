# Makes the files that the recorded programs show, in a folder.
cd "$1"
{
  for i in $(seq 1 90); do
    case $((i % 9)) in
      0) printf 'line %d is \033[1;31mred and bold\033[0m, \033[4;34mblue and underlined\033[0m, and has a colour of 256: \033[38;5;%dmso\033[0m\n' "$i" $((i * 2)) ;;
      3) echo "line $i has wide characters: 漢字 and かな, and 👍 and é, as far as a pager knows them" ;;
      5) echo "line $i is much longer than the screen of a terminal is wide, so that whoever shows it has to wrap it or to cut it, which programs do in ways of their own" ;;
      7) printf 'line %d\thas\ttabs\t\tin it\n' "$i" ;;
      *) echo "line $i has nothing in it that were of note" ;;
    esac
  done
} >notes.txt
printf 'plain é ü ß\nwide 漢字かな交じり文\nemoji 👍 👩‍💻 ❤️ 🇩🇪 and text after them\ncombining e\314\201 o\314\210\nlines ─│┌┐└┘ ▁▂▃▄▅▆▇█\n' >words.txt
{
  for i in 0 1 2 3 4 5 6 7; do printf '\033[3%dmfg %d\033[m \033[9%dmbright\033[m \033[4%dmbg\033[m \033[10%dmbright\033[m ' $i $i $i $i $i; done; echo
  for i in $(seq 16 6 250); do printf '\033[48;5;%dm  ' "$i"; done; printf '\033[m\n'
  for i in $(seq 0 8 255); do printf '\033[48;2;%d;100;%dm ' "$i" $((255 - i)); done; printf '\033[m\n'
  for i in 1 2 3 4 5 7 8 9 21 53 4:3 4:4 4:5; do printf '\033[%smattribute %s\033[m ' "$i" "$i"; done
  printf '\033[4;58;5;9mcoloured line\033[m \033]8;;https://example.org\033\\a link\033]8;;\033\\\n'
} >colours.txt
cat >program.c <<'C'
#include <stdio.h>

/* What a line of the table has: a name, and how often it came. */
struct row {
    const char *name;
    unsigned count;
};

static struct row rows[64];

/* find returns the row of a name; it makes one if there is none. */
static struct row *find(const char *name)
{
    for (int i = 0; i < 64; i++) {
        if (rows[i].name == NULL)
            rows[i].name = name;
        if (rows[i].name == name)
            return &rows[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct row *r = find(argv[i]);
        if (r != NULL)
            r->count++;
    }
    for (int i = 0; rows[i].name != NULL; i++)
        printf("%-20s %5u\t// a \"string\" and a tab\n", rows[i].name, rows[i].count);
    return 0;
}
C
for i in 1 2 3; do sed -n '10,21p' program.c | sed "s/find/find$i/"; done >>program.c
printf 'syntax on\nset number hlsearch incsearch ruler showcmd laststatus=2 mouse=a title scrolloff=2 background=dark termguicolors nocompatible cursorline\nset guicursor= encoding=utf-8\nlet &t_SI = "\\e[6 q"\nlet &t_EI = "\\e[2 q"\n' >vimrc
cat >skein.1 <<'ROFF'
.TH SKEIN 1 "2026" "a page of ours" "tests"
.SH NAME
skein \- a page that is there to be shown
.SH SYNOPSIS
.B skein
.RI [ option " ...] " file
.SH DESCRIPTION
This page has \fBbold\fR and \fIunderlined\fR words, so that a pager has something to show. Its paragraphs are long enough to be filled, and they are justified, which depends on how wide the screen is.
.SH OPTIONS
.TP
.B \-a
The first option. It has a text that goes on in a second line when the screen is narrow.
.TP
.B \-b \fIfile\fR
Another option, with a file.
.SH EXAMPLES
.nf
skein -a one two three
skein -b four
.fi
.PP
There is nothing more to say. The page ends here, after a last paragraph which is there to make it longer than a screen has lines.
.SH SEE ALSO
.BR less (1),
.BR man (1)
ROFF
cat >dialogs.sh <<'BASH'
dialog --title "A menu" --menu "Choose" 12 50 4 one "the first" two "the second" three "漢字" four "the fourth"
dialog --checklist "Several" 12 50 4 a "first" off b "second" on c "third" off
dialog --calendar "A day" 3 40 1 2 2026
for i in $(seq 0 20 100); do echo $i; sleep 0.2; done | dialog --gauge "It works" 7 50
dialog --no-collapse --textbox notes.txt 20 70
dialog --yesno "Is this the end of it?" 6 40
BASH
mkdir -p folder/inner
echo a >folder/a.txt
echo b >folder/inner/b.txt
chmod 755 dialogs.sh
find . -exec touch -d 2026-01-02T03:04:05Z {} +
