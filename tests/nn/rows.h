/*
 * One row for each way to use an op: ROW(name, inputs, f32, bf16, reason, expression). It is checked by ops.c: the gradient against central
 * differences in double; values and gradients of every backend in float and bf16 against the plain kernels in double; bytes around every buffer.
 *
 * inputs: a letter and a shape each. r REAL, s STAT, p REAL above 0, q STAT above 0: differentiated; b STAT, v STAT above 0: not.
 * f32, bf16: bounds of |a - b| / |b| (2-norms, each output and gradient); 0 means the usual 2e-6 and 2e-2. reason: why it is another one.
 * expression: makes a value of any shape from in[0], in[1], …; VALUES(…) rows have no gradient.
 */
#define W1(...) &(gv_window){ .dims = 1, __VA_ARGS__ }
#define W2(...) &(gv_window){ .dims = 2, __VA_ARGS__ }
#define W3(...) &(gv_window){ .dims = 3, __VA_ARGS__ }

ROW(conv_plain, "r2,6,5,3 r4,3,3,3", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2()))
ROW(conv_bias_pad, "r2,6,5,3 r4,3,3,3 s4", 0, 0, "", gv_conv(g, in[0], in[1], in[2], W2(.pad = { 1, 1 }, .pad_end = { 1, 1 })))
ROW(conv_stride, "r2,7,7,8 r16,8,3,3", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 })))
ROW(conv_stride_left_over, "r1,8,9,4 r8,4,1,1", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.stride = { 2, 3 })))
ROW(conv_dilation, "r1,9,8,4 r4,4,3,2", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.dilation = { 2, 3 }, .pad = { 2, 1 }, .pad_end = { 1, 2 })))
ROW(conv_groups, "r2,5,5,8 r12,2,3,3 s12", 0, 0, "", gv_conv(g, in[0], in[1], in[2], W2(.groups = 4, .pad = { 1, 1 }, .pad_end = { 1, 1 })))
ROW(conv_depthwise, "r2,6,6,16 r16,1,3,3", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.groups = 16, .pad = { 1, 1 }, .pad_end = { 1, 1 })))
ROW(conv_1x1_wide, "r2,4,4,64 r128,64,1,1", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2()))
ROW(conv_stem, "r1,15,16,3 r16,3,7,7", 0, 0, "", gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.stride = { 2, 2 }, .pad = { 3, 3 }, .pad_end = { 3, 3 })))
ROW(conv_patch, "r2,8,8,3 r32,3,4,4 s32", 0, 0, "", gv_conv(g, in[0], in[1], in[2], W2(.stride = { 4, 4 })))
ROW(conv_1d, "r2,11,6 r8,3,5 s8", 0, 0, "", gv_conv(g, in[0], in[1], in[2], W1(.stride = { 2 }, .pad = { 2 }, .pad_end = { 2 }, .groups = 2)))
ROW(conv_3d, "r1,5,4,6,4 r8,4,3,3,3 s8", 0, 0, "", gv_conv(g, in[0], in[1], in[2], W3(.stride = { 1, 2, 2 }, .pad = { 1, 1, 1 }, .pad_end = { 1, 1, 1 })))

ROW(matmul_plain, "r5,7 r7,9", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, false, false, 1))
ROW(matmul_linear, "r2,3,8 r6,8 s6", 0, 0, "", gv_matmul(g, in[0], in[1], in[2], false, true, 1))
ROW(matmul_linear_wide, "r33,64 r130,64 s130", 0, 0, "", gv_matmul(g, in[0], in[1], in[2], false, true, 1))
ROW(matmul_ta, "r7,5 r7,9", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, true, false, 0.5))
ROW(matmul_ta_tb, "r7,5 r9,7", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, true, true, 2))
ROW(matmul_batched, "r2,3,5,7 r2,3,7,4", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, false, false, 1))
ROW(matmul_batched_tb, "r2,3,5,8 r2,3,6,8", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, false, true, 0.125))
ROW(matmul_batched_ta, "r4,8,5 r4,8,6", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, true, false, 1))
ROW(matmul_batched_ta_tb, "r4,8,5 r4,6,8", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, true, true, 3))
ROW(matmul_one_b_ta, "r3,6,4 r6,5", 0, 0, "", gv_matmul(g, in[0], in[1], GV_NO_VAL, true, false, 1))

ROW(add_same, "r2,3,4 r2,3,4", 0, 0, "", gv_add(g, in[0], in[1]))
ROW(add_bias, "r2,3,4 s4", 0, 0, "", gv_add(g, in[0], in[1]))
ROW(add_middle, "r2,3,4 r2,1,4", 0, 0, "", gv_add(g, in[0], in[1]))
ROW(add_both_sides, "r4,1,3 r2,1", 0, 0, "", gv_add(g, in[0], in[1]))
ROW(add_itself, "r3,4", 0, 0, "", gv_add(g, in[0], in[0]))
ROW(sub_lead, "r3,4 r2,3,4", 0, 0, "", gv_sub(g, in[0], in[1]))
ROW(mul_gate, "r2,4,4,8 r2,1,1,8", 0, 0, "", gv_mul(g, in[0], in[1]))
ROW(mul_scalar, "r2,5 s1", 0, 0, "", gv_mul(g, in[0], in[1]))
ROW(div_rows, "r4,5 p4,1", 0, 0, "", gv_div(g, in[0], in[1]))
ROW(div_column, "r1,5 p4,1", 0, 0, "", gv_div(g, in[0], in[1]))
ROW(stat_only, "s4,5 q5", 0, 0, "", gv_div(g, in[0], in[1]))

ROW(relu, "r3,17", 0, 0, "", gv_relu(g, in[0]))
ROW(gelu, "r3,17", 0, 0, "", gv_gelu(g, in[0]))
ROW(gelu_wide, "r8,32", 0, 0, "", gv_gelu(g, gv_affine(g, in[0], 6, 0)))
ROW(tanh_wide, "r8,32", 0, 0, "", gv_tanh(g, gv_affine(g, in[0], 6, 0)))
ROW(sigmoid_wide, "r8,32", 0, 0, "", gv_sigmoid(g, gv_affine(g, in[0], 20, 0)))
ROW(gelu_tanh, "r3,17", 0, 0, "", gv_unary(g, GV_GELU_TANH, in[0]))
ROW(silu, "r3,17", 0, 0, "", gv_silu(g, in[0]))
ROW(sigmoid, "r3,17", 0, 0, "", gv_sigmoid(g, in[0]))
ROW(tanh, "r3,17", 0, 0, "", gv_tanh(g, in[0]))
ROW(exp, "r3,17", 0, 0, "", gv_unary(g, GV_EXP, in[0]))
ROW(log, "p3,17", 1e-5, 5e-2, "the logarithm of numbers near 1 loses digits", gv_unary(g, GV_LOG, in[0]))
ROW(sqrt, "p3,17", 0, 0, "", gv_unary(g, GV_SQRT, in[0]))
ROW(rsqrt, "q3,17", 0, 0, "", gv_unary(g, GV_RSQRT, in[0]))
ROW(square, "r3,17", 0, 0, "", gv_unary(g, GV_SQUARE, in[0]))
ROW(abs, "r3,17", 0, 0, "", gv_unary(g, GV_ABS, in[0]))
ROW(hard_sigmoid, "r3,17", 0, 0, "", gv_unary(g, GV_HARD_SIGMOID, gv_affine(g, in[0], 3, 0)))
ROW(leaky_relu, "r3,17", 0, 0, "", gv_unary(g, GV_LEAKY_RELU, in[0]))
ROW(affine, "r3,17", 0, 0, "", gv_affine(g, in[0], -1.5, 0.25))

ROW(batchnorm_train, "r4,3,3,5 s5 s5", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_batchnorm_train(g, in[0], in[1], in[2], 1e-5).y)
ROW(batchnorm_bare, "r6,7", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_batchnorm_train(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-3).y)
ROW(batchnorm_wide, "r3,4,4,64 s64 s64", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_batchnorm_train(g, in[0], in[1], in[2], 1e-5).y)
ROW(instancenorm, "r3,2,4,5 s5 s5", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_instancenorm(g, in[0], in[1], in[2], 1e-5).y)
ROW(instancenorm_bare, "r2,6,7", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_instancenorm(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-3).y)
VALUES(instancenorm_invstd, "r2,3,3,5", 0, 0, "", gv_instancenorm(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-5).invstd)
VALUES(batchnorm_mean, "r4,3,3,5", 0, 0, "", gv_batchnorm_train(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-5).mean)
VALUES(batchnorm_invstd, "r4,3,3,5", 0, 0, "", gv_batchnorm_train(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-5).invstd)
VALUES(batchnorm_var, "r4,3,3,5", 0, 0, "", gv_batchnorm_train(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-5).var)
ROW(batchnorm_eval, "r4,3,3,5 s5 s5 b5 v5", 0, 0, "", gv_batchnorm_eval(g, in[0], in[1], in[2], in[3], in[4], 1e-5))
ROW(batchnorm_eval_bare, "r4,5 b5 v5", 0, 0, "", gv_batchnorm_eval(g, in[0], GV_NO_VAL, GV_NO_VAL, in[1], in[2], 1e-5))
ROW(layernorm, "r2,5,48 s48 s48", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_layernorm(g, in[0], in[1], in[2], 1e-6).y)
ROW(layernorm_odd, "r7,37 s37 s37", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_layernorm(g, in[0], in[1], in[2], 1e-5).y)
ROW(layernorm_bare, "r3,20", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_layernorm(g, in[0], GV_NO_VAL, GV_NO_VAL, 1e-5).y)
ROW(layernorm_weight, "r3,20 s20", 1e-5, 3e-2, "gradients of a normalised tensor cancel", gv_layernorm(g, in[0], in[1], GV_NO_VAL, 1e-5).y)

ROW(softmax, "r2,3,37", 1e-5, 3e-2, "the gradient is a difference of near equals", gv_softmax(g, in[0]))
ROW(attention_self, "r2,5,24", 1e-5, 3e-2, "softmax's gradient is a difference of near equals", gv_self_attention(g, in[0], 2, 0.5))
ROW(attention_odd, "r1,37,72", 1e-5, 3e-2, "softmax's gradient is a difference of near equals", gv_self_attention(g, in[0], 4, 0.40824829046386307))
ROW(attention_blocks, "r1,101,96", 1e-5, 3e-2, "softmax's gradient is a difference of near equals", gv_self_attention(g, in[0], 1, 0.17677669529663687))
ROW(softmax_stat, "s5,7", 1e-5, 3e-2, "the gradient is a difference of near equals", gv_softmax(g, in[0]))

ROW(maxpool, "r2,8,8,5", 0, 0, "", gv_maxpool(g, in[0], W2(.kernel = { 2, 2 }, .stride = { 2, 2 })).y)
ROW(maxpool_stem, "r2,7,9,16", 0, 0, "", gv_maxpool(g, in[0], W2(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 })).y)
ROW(maxpool_ceil, "r1,6,7,4", 0, 0, "", gv_maxpool(g, in[0], W2(.kernel = { 3, 3 }, .stride = { 2, 2 }, .ceil_mode = true)).y)
ROW(maxpool_dilated_1d, "r2,12,4", 0, 0, "", gv_maxpool(g, in[0], W1(.kernel = { 3 }, .stride = { 2 }, .dilation = { 2 }, .pad = { 1 }, .pad_end = { 1 })).y)
ROW(maxpool_3d, "r1,4,6,5,3", 0, 0, "", gv_maxpool(g, in[0], W3(.kernel = { 2, 3, 2 }, .stride = { 2, 2, 1 })).y)
ROW(avgpool, "r2,8,8,5", 0, 0, "", gv_avgpool(g, in[0], W2(.kernel = { 2, 2 }, .stride = { 2, 2 })))
ROW(avgpool_ceil, "r1,7,5,4", 0, 0, "", gv_avgpool(g, in[0], W2(.kernel = { 2, 2 }, .stride = { 2, 2 }, .ceil_mode = true)))
ROW(avgpool_pad, "r1,7,6,4", 0, 0, "", gv_avgpool(g, in[0], W2(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 })))
ROW(avgpool_pad_counted, "r1,7,6,4", 0, 0, "", gv_avgpool(g, in[0], W2(.kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 }, .count_include_pad = true)))
ROW(avgpool_1d, "r2,9,70", 0, 0, "", gv_avgpool(g, in[0], W1(.kernel = { 3 }, .stride = { 1 }, .pad = { 1 }, .pad_end = { 1 })))
ROW(avgpool_3d, "r1,4,6,5,3", 0, 0, "", gv_avgpool(g, in[0], W3(.kernel = { 2, 3, 2 }, .stride = { 2, 2, 1 })))

ROW(sum_all, "r3,4,5", 0, 0, "", gv_reduce(g, GV_SUM, in[0], 7, false, GV_CLASS_STAT))
ROW(sum_lead, "r3,4,5", 0, 0, "", gv_reduce(g, GV_SUM, in[0], 3, false, GV_CLASS_STAT))
ROW(mean_space, "r2,3,4,5", 0, 0, "", gv_reduce(g, GV_MEAN, in[0], 6, false, GV_CLASS_REAL))
ROW(mean_last, "r3,4,37", 0, 0, "", gv_reduce(g, GV_MEAN, in[0], 4, true, GV_CLASS_REAL))
ROW(mean_apart, "r3,4,5", 0, 0, "", gv_reduce(g, GV_MEAN, in[0], 5, true, GV_CLASS_STAT))
ROW(sum_large, "r300,4,20", 1e-5, 0, "6000 summands", gv_reduce(g, GV_SUM, in[0], 5, false, GV_CLASS_STAT))
ROW(mean_stat_to_real, "s3,4", 0, 0, "", gv_reduce(g, GV_MEAN, in[0], 2, false, GV_CLASS_REAL))
ROW(max_space, "r2,3,4,5", 0, 0, "", gv_reduce(g, GV_MAX, in[0], 6, false, GV_CLASS_REAL))
ROW(max_last, "r3,9", 0, 0, "", gv_reduce(g, GV_MAX, in[0], 2, true, GV_CLASS_REAL))
ROW(max_apart, "r3,4,5", 0, 0, "", gv_reduce(g, GV_MAX, in[0], 5, false, GV_CLASS_STAT))
ROW(broadcast, "r3,1,5", 0, 0, "", gv_broadcast(g, in[0], (int64_t[]){ 2, 3, 4, 5 }, 4))

ROW(reshape, "r3,4,5", 0, 0, "", gv_reshape(g, in[0], (int64_t[]){ 6, -1 }, 2))
ROW(permute_heads, "r2,3,4,5", 0, 0, "", gv_permute(g, in[0], (int[]){ 0, 2, 1, 3 }))
ROW(permute_last, "r2,3,4,5", 0, 0, "", gv_permute(g, in[0], (int[]){ 0, 3, 1, 2 }))
ROW(permute_all, "r2,3,4,5", 0, 0, "", gv_permute(g, in[0], (int[]){ 3, 1, 0, 2 }))
ROW(permute_tiles, "r2,5,32", 0, 0, "", gv_permute(g, in[0], (int[]){ 0, 2, 1 }))
ROW(permute_tiles_long, "r37,16", 0, 0, "", gv_permute(g, in[0], (int[]){ 1, 0 }))
ROW(slice_lead, "r5,3", 0, 0, "", gv_slice(g, in[0], 0, 1, 3))
ROW(slice_middle, "r2,5,3", 0, 0, "", gv_slice(g, in[0], 1, 2, 2))
ROW(slice_last, "r2,5,7", 0, 0, "", gv_slice(g, in[0], -1, 0, 3))
ROW(slice_view_then_relu, "r6,4", 0, 0, "", gv_add(g, gv_relu(g, gv_slice(g, gv_affine(g, in[0], 2, 0), 0, 2, 3)), gv_slice(g, in[0], 0, 0, 3)))
ROW(pad_middle, "r2,3,4", 0, 0, "", gv_pad(g, in[0], 1, 1, 2))
ROW(pad_last, "r2,3", 0, 0, "", gv_pad(g, in[0], -1, 3, 0))
ROW(concat_tokens, "r2,1,4 r2,3,4 r2,2,4", 0, 0, "", gv_concat(g, in, 3, 1))
ROW(concat_mixed, "r2,4 s3,4", 0, 0, "", gv_concat(g, in, 2, 0))
ROW(concat_many, "r1,2", 0, 0, "", gv_concat(g, (gv_val[]){ in[0], in[0], in[0], in[0], in[0], in[0], in[0], in[0], in[0], in[0], in[0] }, 11, 0))
ROW(cast_there_and_back, "s3,4", 0, 0, "", gv_cast(g, gv_cast(g, in[0], GV_CLASS_REAL), GV_CLASS_STAT))

ROW(gather, "r3,6,5", 0, 0, "", gv_gather(g, in[0], gv_topk(g, gv_reshape(g, gv_detach(g, gv_slice(g, in[0], 2, 1, 1)), (int64_t[]){ 3, 6 }, 2), 4)))
ROW(gather_stat, "s2,5", 0, 0, "", gv_gather(g, in[0], gv_topk(g, gv_detach(g, in[0]), 5)))
ROW(noise, "r6,50", 0, 0, "", gv_noise(g, in[0], 0.3))
ROW(rotary, "r2,12,16", 0, 0, "", gv_rotary(g, in[0], GV_NO_VAL, 2, 6, (int64_t[]){ 2, 3, 2 }, 10000))
ROW(rotary_series, "r2,5,8", 0, 0, "", gv_rotary(g, in[0], GV_NO_VAL, 1, 8, (int64_t[]){ 5, 0, 0 }, 100))
ROW(rotary_gathered, "r2,12,7 b2,12", 0, 0, "", gathered(g, in))
ROW(dropout, "r6,50", 0, 0, "", gv_dropout(g, in[0], 0.3, false))
ROW(drop_path, "r9,4,4", 0, 0, "", gv_dropout(g, in[0], 0.4, true))
ROW(cross_entropy, "r5,7 v5,7", 0, 0, "", gv_cross_entropy(g, in[0], in[1]))
ROW(bce_logits, "r5,3 v5,3", 0, 0, "", gv_bce_logits(g, in[0], in[1]))
ROW(mse, "r5,3 r5,3", 1e-5, 3e-2, "differences", gv_mse(g, in[0], in[1]))

ROW(block, "r2,6,6,8 r8,8,3,3 s8 s8", 2e-5, 6e-2, "several layers",
    gv_relu(g, gv_add(g, gv_batchnorm_train(g, gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.pad = { 1, 1 }, .pad_end = { 1, 1 })), in[2], in[3], 1e-5).y, in[0])))
ROW(attention, "r2,2,5,8 r2,2,5,8 r2,2,5,8", 2e-5, 6e-2, "several layers",
    gv_matmul(g, gv_softmax(g, gv_matmul(g, in[0], in[1], GV_NO_VAL, false, true, 0.35355339059327373)), in[2], GV_NO_VAL, false, false, 1))

ROW(norm_leaky, "r2,3,3,8 s8 s8 r2,3,3,8", 2e-5, 6e-2, "several layers",
    gv_unary(g, GV_LEAKY_RELU, gv_add(g, gv_unary(g, GV_LEAKY_RELU, gv_instancenorm(g, in[0], in[1], in[2], 1e-5).y), gv_instancenorm(g, gv_affine(g, in[3], 2, 0), in[2], in[1], 1e-5).y)))

#undef W1
#undef W2
#undef W3
