# fish completion of GloViTa's programs. The program itself says what may follow (PROGRAM --complete -- WORDS...), so that this is never
# out of date. Source it, or let fish find it under a program's name in a directory of its completions.
function __glovita_words
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -e words[1]
    type -q $program; or return
    for line in ($program --complete -- $words "$cur" 2>/dev/null)
        set -l before (string match -r -- '^--[^=]*=' "$cur")
        set -l part (string replace -r -- '^--[^=]*=' '' "$cur")
        switch $line
            case ':help*'
            case ':file'
                for path in (__fish_complete_path "$part")
                    echo "$before$path"
                end
            case ':dir'
                for path in (__fish_complete_directories "$part" '')
                    echo "$before$path"
                end
            case '*'
                echo $line
        end
    end
end

for program in @PROGRAMS@
    complete -c $program -f -k -a '(__glovita_words)'
end
