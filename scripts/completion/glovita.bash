# bash completion of GloViTa's programs. The program itself says what may follow (PROGRAM --complete -- WORDS...), so that this is never
# out of date. Source it, or let bash-completion find it under the programs' names.
_glovita() {
    local line=${COMP_LINE:0:COMP_POINT} program=$1 keep= paths= word help cur part i
    local -a words=()
    COMPREPLY=()
    [[ $program == '~/'* ]] && program=$HOME/${program:2}
    type -P -- "$program" >/dev/null || return 0

    # COMP_WORDS are cut at ':' and '='. What has no blank between it in the line is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        part=${COMP_WORDS[i]}
        word=${line#"${line%%[![:blank:]]*}"}
        ((i == COMP_CWORD)) && part=$word
        if ((i == 0)) || [[ $word != "$line" || -z $line ]]; then
            words+=("$part")
        else
            words[${#words[@]} - 1]+=$part
        fi
        line=${word#"$part"}
    done
    for i in "${!words[@]}"; do # without quotes and backslashes
        words[i]=${words[i]//[\\\"\']/}
    done
    cur=${words[${#words[@]} - 1]}

    # readline replaces what is behind the last of its break characters.
    for i in : =; do
        if [[ $COMP_WORDBREAKS == *"$i"* && $cur == *"$i"* ]]; then
            part=${cur%"${cur##*"$i"}"}
            ((${#part} > ${#keep})) && keep=$part
        fi
    done

    while IFS=$'\t' read -r word help; do
        case $word in
        :file | :dir) paths=${word:1:1} ;;
        :*) ;;
        *)
            word=${word#"$keep"}
            [[ $word == *[[:space:]\\\'\"\$\&\;\(\)\<\>\*\?\|\`]* ]] && printf -v word %q "$word"
            COMPREPLY+=("$word")
            ;;
        esac
    done < <("$program" --complete -- "${words[@]:1}" 2>/dev/null)

    if [[ $paths ]]; then
        part=$cur
        [[ $cur == --*=* ]] && part=${cur#*=}
        word=${cur%"$part"}
        word=${word#"$keep"} # empty, unless '=' breaks no words
        while IFS= read -r line; do
            COMPREPLY+=("$word$line")
        done < <(compgen "-$paths" -- "$part")
        compopt -o filenames 2>/dev/null
    fi
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[.:=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}
complete -F _glovita @PROGRAMS@
