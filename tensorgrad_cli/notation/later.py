"""What the language has and this version cannot read yet: each is an error that says so.

A layer's name is known here only so that its call is answered by `not-yet` and not taken for a slip; a
declared function, tensor or step of the same name hides it.
"""

from __future__ import annotations

from tensorgrad_cli.source import Issue, Span

__all__ = ["LAYERS", "not_yet"]

# PyTorch's functional layers by their names there, and three that have none there.
LAYERS = frozenset(
    """
    affine attention multi_head_attention
    linear bilinear embedding embedding_bag one_hot dropout alpha_dropout feature_alpha_dropout
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d fold unfold pad
    avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d lp_pool1d lp_pool2d lp_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
    adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm
    glu softmin gumbel_softmax threshold rrelu
    rnn rnn_cell rnn_tanh_cell rnn_relu_cell lstm lstm_cell gru gru_cell
    scaled_dot_product_attention multi_head_attention_forward
    cosine_similarity pairwise_distance cdist pdist
    binary_cross_entropy binary_cross_entropy_with_logits cross_entropy nll_loss kl_div
    mse_loss l1_loss smooth_l1_loss huber_loss gaussian_nll_loss poisson_nll_loss ctc_loss
    cosine_embedding_loss hinge_embedding_loss margin_ranking_loss multi_margin_loss
    multilabel_margin_loss multilabel_soft_margin_loss soft_margin_loss
    triplet_margin_loss triplet_margin_with_distance_loss
    interpolate upsample grid_sample affine_grid pixel_shuffle pixel_unshuffle channel_shuffle
    """.split()
)


def not_yet(span: Span, what: str, help: str | None = None) -> Issue:
    """The error for a form of the language that later versions bring."""
    message = f"{what}, as in {span.text}, cannot be read yet: this version does without"
    return Issue("not-yet", span, message, help)
